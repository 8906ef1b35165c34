# Completion for kith: its commands, and its settings as flags, both asked of the program itself.
_kith() {
    local word=${COMP_WORDS[COMP_CWORD]}
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(kith help 2>/dev/null | sed -n 's/^  \([a-z-]*\) .*/\1/p')" -- "$word")
    elif [[ $word == --* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(kith help settings 2>/dev/null |
            sed -n 's/^KITH_\([A-Z0-9_]*\)=.*/--\1=/p' | tr 'A-Z_' 'a-z-')" -- "$word")
        compopt -o nospace
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -F _kith kith
