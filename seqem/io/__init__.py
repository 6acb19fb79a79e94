"""Files: readers, writers and the table that finds them."""
