"""Where statements begin and end in a text of several. Pure; the store's parser has the say."""


def split_statements(text: str) -> list[tuple[int, int]]:
    """Start and end offsets of every statement, semicolons in quotes and comments ignored."""
    spans, start, index = [], 0, 0
    while index < len(text):
        rest = text[index : index + 2]
        if rest == "--":
            end = text.find("\n", index)
            index = len(text) if end < 0 else end
        elif rest == "/*":
            end = text.find("*/", index + 2)
            index = len(text) if end < 0 else end + 2
        elif text[index] in "'\"":
            end = text.find(text[index], index + 1)
            index = len(text) if end < 0 else end + 1
        elif text[index] == ";":
            spans.append((start, index))
            index += 1
            start = index
        else:
            index += 1
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans


def find_statement(text: str, offset: int) -> str:
    """The statement that `offset` lies in, or the last one before it."""
    statement = ""
    for start, end in split_statements(text):
        if start > offset and statement:
            break
        if text[start:end].strip():
            statement = text[start:end]
    return statement.strip()
