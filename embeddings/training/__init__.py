"""The parts that training is made of: batches, augmentation and losses, on arrays only; rows and files are not here."""
