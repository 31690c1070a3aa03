"""What every service does alike: settings, logging, request ids, health, metrics, problems as responses."""
