"""What people get wrong: each row is a mistake, the command that meets it, and what must be said.

That is what is wrong, where, and what to do. ``typed`` has the mistakes at the keyboard,
``written`` those in files that people write, ``found`` those of the machine; ``world`` is what
they spoil.
"""

from tests.acceptance.mistakes.found import FILES, VARIABLES
from tests.acceptance.mistakes.typed import TYPED
from tests.acceptance.mistakes.written import SQL, YAML

ROWS = TYPED + YAML + SQL + FILES + VARIABLES
