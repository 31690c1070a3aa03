"""How a run is shown: live progress, the report, the timeline and the folder that keeps them."""
