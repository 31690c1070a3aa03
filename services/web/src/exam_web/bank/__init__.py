"""The question bank: questions with categories, tags and versions, which exams take and give back."""
