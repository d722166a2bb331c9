# SPDX-License-Identifier: MIT
# bash completion for seamlab. Everything comes from the program: commands from "seamlab help", options and the names
# of their values from "seamlab COMMAND --help". A value named a|b is one of these words; what other names stand for
# is said below, in _seamlab_values().

# The usage and the options of a command, one a line.
_seamlab_help() {
	ARGP_HELP_FMT='rmargin=4000,opt-doc-col=80' "$1" "$2" --help 2>/dev/null
}

_seamlab_commands() {
	"$1" help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'
	echo help
}

# "--exact", "--format=text|json": options as --help has them.
_seamlab_options() {
	_seamlab_help "$1" "$2" | sed -n 's/^ *\(-., \)\{0,1\}\(--[^ ]*\).*/\2/p'
}

# What the command takes besides options: "FILE|FOLDER...".
_seamlab_arguments() {
	_seamlab_help "$1" "$2" | sed -n 's/^\(Usage:\|  or: \) seamlab [a-z]* \[OPTION\.\.\.\] *//p'
}

_seamlab_policies() {
	"$1" policies --format json 2>/dev/null | sed -n '/"policies"/,/^  ]/s/^ *"name": "\([^"]*\)".*/\1/p'
}

_seamlab_files() {
	local IFS=$'\n'
	compopt -o filenames 2>/dev/null
	compgen -d -- "$cur"
	case $1 in
	'') compgen -f -- "$cur" ;;
	*) compgen -f -X "!*.@($1)" -- "$cur" ;;
	esac
}

# The words that the value named $3 of the command $2 can be.
_seamlab_values() {
	local program=$1 command=$2 name
	for name in $(sed 's/\.\.\.//g; s/[][|]/ /g' <<<"$3"); do
		case $name in
		FILE | FOLDER)
			case $command in
			answers) _seamlab_files yml ;;
			*) _seamlab_files yaml ;;
			esac
			;;
		FILE.*) _seamlab_files "${name#FILE.}" ;;
		TRACE) _seamlab_files trace ;;
		OUT | CHECKPOINT) _seamlab_files '' ;;
		DIR) compgen -d -- "$cur" ;;
		NAME) _seamlab_policies "$program" ;;
		SITE)
			"$program" policies "$(_seamlab_policies "$program" | head -n 1)" --format json 2>/dev/null |
				sed -n '/^  "sites"/,/^  }/s/^    "\([^"]*\)": .*/\1/p'
			;;
		SWITCH=VALUE)
			compopt -o nospace 2>/dev/null
			"$program" policies --format json 2>/dev/null |
				sed -n '/^  "settings"/,/^  }/s/^    "\([^"]*\)": .*/\1=/p'
			;;
		LEAF)
			"$program" explain --tables 2>/dev/null |
				sed -n '/^  "\(seamcall\|tdcall\)": {/,/}/s/^    "\([^"]*\)".*/\1/p'
			;;
		STATUS)
			"$program" explain --tables 2>/dev/null |
				sed -n '/^  "status": {/,/}/s/^    "\([^"]*\)".*/\1/p'
			;;
		CLAIM) "$program" answers --list 2>/dev/null | sed -n 's/^\([A-Z][0-9]*\) .*/\1/p' ;;
		[a-z0-9]*) echo "$name" ;;
		esac
	done
}

_seamlab() {
	local cur=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} command=${COMP_WORDS[1]}
	local option= prev=${COMP_WORDS[COMP_CWORD - 1]} words name
	shopt -q extglob || { shopt -s extglob && trap 'shopt -u extglob; trap - RETURN' RETURN; }
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$(_seamlab_commands "$program")
			--help --version" -- "$cur")
		return
	fi
	if [[ $command == help ]]; then
		((COMP_CWORD == 2)) && mapfile -t COMPREPLY < <(
			compgen -W "$(_seamlab_commands "$program")" -- "$cur")
		return
	fi
	# "--format=js" is three words to readline: --format, = and js.
	if [[ $cur == = ]]; then
		option=$prev cur=
	elif [[ $prev == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	elif [[ $prev == --* ]]; then
		option=$prev
	fi
	if [[ $option == --* ]]; then
		name=$(_seamlab_options "$program" "$command" | sed -n "s/^$option=//p" | head -n 1)
		[[ $name ]] || option=
	else
		option=
	fi
	if [[ ! $option && $cur == -* ]]; then
		words=$(_seamlab_options "$program" "$command" | sed 's/=.*/=/')
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
		return
	fi
	[[ $option ]] || name=$(_seamlab_arguments "$program" "$command")
	# Files are matched while they are looked for; names with blanks stay whole.
	mapfile -t COMPREPLY < <(_seamlab_values "$program" "$command" "$name" | while IFS= read -r words; do
		[[ $words == "$cur"* ]] && printf '%s\n' "$words"
	done | sort -u)
	case $name in *FILE* | *FOLDER* | *TRACE* | *DIR*) compopt -o filenames 2>/dev/null ;; esac
	case $name in *SWITCH=VALUE*) compopt -o nospace 2>/dev/null ;; esac
	return 0
}

complete -F _seamlab seamlab
