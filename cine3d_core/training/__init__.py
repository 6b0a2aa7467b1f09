"""Training of the shipped networks, from photographs and synthetic scenes."""
