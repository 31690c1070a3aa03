"""What every scenario uses to hold a sitting: accounts, platform client, student journey, stores and checks."""
