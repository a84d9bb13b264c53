"""What people say of hits and encoders: kept, counted, and given to trainings."""
