"""`commonroom token`: who may use the HTTP API."""

import click

from commonroom.admin.tokens import add_token, list_tokens, remove_token
from commonroom.cli.generated import command
from commonroom.cli.groups import Group


@click.group(cls=Group)
def token() -> None:
    """Make, list and remove tokens of the HTTP API.

    It is there if `api.listen` in the configuration says where.
    """


token.add_command(
    command(
        add_token, "Keep what is printed: only a digest of it is stored, so that it cannot be shown again."
    )
)
token.add_command(command(list_tokens))
token.add_command(command(remove_token, done="The token counts no more."))
