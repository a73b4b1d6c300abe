"""Names on the screen: the ids themselves, or others that say nothing."""

import hashlib
import hmac

from ptacl_app.text.formatting import safe


class PatientNames:
    """Shows ids, or with a key a short name that differs in every session."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    @property
    def is_private(self) -> bool:
        """True when ids are hidden."""
        return self._key is not None

    def name_of(self, patient: str) -> str:
        """What to show for a patient."""
        if self._key is None:
            return safe(patient, max_length=40)
        digest = hmac.new(self._key, patient.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"patient-{digest.hexdigest()[:6]}"
