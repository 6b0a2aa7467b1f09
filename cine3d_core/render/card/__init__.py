"""The renderer's kernels for graphics cards; each equals a function of `render` in all it does."""
