"""Whose extension it is: never a guess."""

from router.basis.people import Directory, Person


def test_the_table_of_extensions_says_what_a_search_says() -> None:
    people = (
        Person("anna", "Anna", ("101", "201", "101")),
        Person("boris", "Boris", ("102", "201")),
        Person("vera", "Vera"),
        Person("gleb", "Gleb", ("201", "104")),
    )
    directory = Directory(people)
    owners = directory.owners()
    assert owners == {"101": "anna", "102": "boris", "104": "gleb"}
    for extension in ("101", "102", "104", "201", "999"):
        owner = directory.owner(extension)
        assert owners.get(extension) == (owner.id if owner else None)
