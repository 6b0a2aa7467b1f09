"""Pictures of made-up rooms, tables, streets and landscapes with exact disparity and sky."""
