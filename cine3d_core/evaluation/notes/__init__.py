"""What a program sees in ordinary photographs against notes made by looking at them."""
