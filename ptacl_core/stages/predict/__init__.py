"""`ptacl predict` and `ptacl neighbours`: what a new ECG says, and whose heart is most alike."""
