# Checks that the interfaces of the given public headers do not mention leafstore::internal. Private members, friends,
# template constraints and the bodies of inline functions may mention it. Also checks that all members of structs named
# ...Options have initializers, because compilers warn about designated initializers that leave out other members. Prints
# `file:line: reason` for each violation, and exits with 1 if there is any.
#
# A header is read character by character. `head` collects a declaration until its end, which is `;` or the opening brace
# of its body. A stack holds the enclosing scopes: namespaces, classes with the current access, and bodies, which are
# skipped.

# Returns the declaration without the parts that may mention internals: template constraints and member initializers.
function Signature(text,    depth, i, c) {
  while (match(text, /template *</)) {
    depth = 0
    for (i = RSTART + RLENGTH - 1; i <= length(text); ++i) {
      c = substr(text, i, 1)
      if (c == "<") ++depth
      if (c == ">" && --depth == 0) break
    }
    text = substr(text, 1, RSTART - 1) substr(text, i + 1)
  }
  sub(/requires *\(.*&& *\.\.\. *\)/, "", text)
  sub(/\) *(const *|noexcept *)*:[^:].*/, ")", text)
  return text
}

function Check(text,    signature) {
  if (options[depth] && text !~ /[=(]/ && text !~ /^ *(using|friend|static|struct|enum) / && text !~ /^ *$/) {
    printf "%s:%d: a member of an options struct has no initializer:%s\n", file, head_line, text
    failed = 1
  }
  signature = Signature(text)
  if (signature !~ /(^|[^A-Za-z_0-9])internal::/ || signature ~ /^ *friend /) return
  if (hidden > 0 || signature ~ /^ *(class|struct) /) return
  match(signature, /internal::[A-Za-z_0-9]+/)
  printf "%s:%d: the interface names %s\n", file, head_line, substr(signature, RSTART, RLENGTH)
  failed = 1
}

# Enters the scope whose opening brace follows the given declaration.
function Enter(text,    plain) {
  plain = Signature(text)
  ++depth
  kind[depth] = "body"
  options[depth] = 0
  adds_hidden[depth] = 0
  if (plain ~ /^ *(inline +)?namespace/) {
    kind[depth] = "namespace"
    if (plain ~ /internal/) adds_hidden[depth] = 1
  } else if (plain ~ /^ *(class|struct|union) / && plain !~ /[=(]/) {
    kind[depth] = "class"
    if (plain ~ /^ *class /) adds_hidden[depth] = 1
    options[depth] = plain ~ /^ *struct [A-Za-z]*Options *$/
  } else {
    Check(text)
    ++opaque
  }
  hidden += adds_hidden[depth]
}

function Leave() {
  hidden -= adds_hidden[depth]
  if (kind[depth] == "body") --opaque
  --depth
}

function Access(word) {
  hidden -= adds_hidden[depth]
  adds_hidden[depth] = word == "public" ? 0 : 1
  hidden += adds_hidden[depth]
}

# Reads one line, from which comments, literals and directives have been removed.
function Read(line,    i, c) {
  for (i = 1; i <= length(line); ++i) {
    c = substr(line, i, 1)
    if (c == "{") {
      if (opaque) { ++depth; kind[depth] = "body"; adds_hidden[depth] = 0; ++opaque } else Enter(head)
      head = ""
    } else if (c == "}") {
      Leave()
      head = ""
    } else if (opaque) {
      continue
    } else if (c == ";") {
      Check(head)
      head = ""
    } else if (c == ":" && head ~ /^ *(public|protected|private)$/) {
      gsub(/ /, "", head)
      Access(head)
      head = ""
    } else {
      if (head ~ /^ *$/) head_line = FNR
      head = head c
    }
  }
  if (!opaque) head = head " "
}

FNR == 1 { file = FILENAME; sub(/^\.\//, "", file); depth = opaque = hidden = continued = 0; head = "" }
{
  line = $0
  if (continued || line ~ /^[ \t]*#/) { continued = line ~ /\\$/; next }
  gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
  gsub(/'([^'\\]|\\.)'/, "0", line)
  sub(/\/\/.*/, "", line)
  gsub(/[ \t]+/, " ", line)
  Read(line)
}
END { exit failed }
