"""Check and convert files of questions; needs the parsers of `exam-cli[papers]`."""
