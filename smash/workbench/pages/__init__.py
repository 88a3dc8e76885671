"""Pages that this repository alone needs: its results, goals and reproductions."""
