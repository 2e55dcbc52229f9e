"""Sample feeds and the server that shows them: everything behind `monitor demo`."""
