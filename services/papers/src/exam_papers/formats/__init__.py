"""Files of questions: GIFT, Aiken, Moodle XML, QTI packages, sheets, and the documents of this platform."""
