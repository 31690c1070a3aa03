"""Files of questions and exam documents: imported into drafts, and exported for their authors."""
