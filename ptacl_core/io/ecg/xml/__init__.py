"""The XML formats of carts: CardioSoft, MUSE, Philips, HL7 aECG."""
