"""From a photo and its depth to layers with their hidden parts filled."""
