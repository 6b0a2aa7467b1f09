"""What a person drew, as JSON."""
