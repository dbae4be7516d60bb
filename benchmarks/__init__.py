"""Long runs and side-by-side measurements; each script prints what it found."""
