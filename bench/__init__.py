"""Speed and memory of sdsiqa beside the bare libraries it stands on."""
