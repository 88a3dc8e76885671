"""Public yardsticks: others' data, splits and figures, and our rows beside theirs."""
