"""`ptacl targets`: what a cohort is predicted for beside the ten phenotypes."""
