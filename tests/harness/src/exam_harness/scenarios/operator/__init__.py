"""The main job as platform teams do it: Exam resources are applied, and the operator sees to the rest."""
