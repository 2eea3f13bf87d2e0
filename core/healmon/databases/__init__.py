"""The healer of SQLite locks: names the one holder, loses nothing."""
