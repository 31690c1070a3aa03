"""Images of questions, as they are stored: checked, upright, without metadata."""
