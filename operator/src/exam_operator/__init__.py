"""The operator: reconciles `Exam` resources with their sittings."""
