"""The parts of a sitting that scenarios share: accounts, exams, platform client, student journey, stores and checks."""
