"""Where accounts come from, and how it is found out that somebody is who they say they are."""
