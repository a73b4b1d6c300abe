"""`ptacl merge`: cohort directories made without a shared disk become one cohort."""
