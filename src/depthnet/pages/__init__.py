"""Pages of pictures with words under them, drawn as one picture or written as one HTML file."""
