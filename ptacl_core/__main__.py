"""`python -m ptacl_core` is `ptacl`; so torchrun starts it: `torchrun … -m ptacl_core train …`."""

from ptacl_core.cli.main import main

if __name__ == "__main__":
    main()
