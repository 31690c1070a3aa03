"""Change the bank, and exchange questions with exams."""
