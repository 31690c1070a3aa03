"""The graders: seal, grade, publish."""
