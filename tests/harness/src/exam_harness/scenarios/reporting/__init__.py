"""Output of a run: live progress, the report and its failures, the timeline, and the folder that keeps them."""
