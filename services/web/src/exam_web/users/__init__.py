"""Users, their levels, logins and revocations."""
