"""COCO annotations: documents, masks, crops and label images out of them."""
