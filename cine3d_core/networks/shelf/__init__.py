"""Other people's networks of the shelf: what goes in, what comes out, in our conventions."""
