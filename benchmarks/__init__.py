"""Where the README's figures come from: ratios, each measured side by side in one run."""
