"""What the images consist of, and what is known about it: bills of materials and audits."""
