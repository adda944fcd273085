# This is what `tgicli completion bash` prints; a change here would not last.
_tgicli() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local at=tgicli words='' files='' is_value='' word i
    # Bash makes three words of --flag=value.
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = ]]; then
            is_value=yes
            continue
        elif [[ $is_value ]]; then
            is_value=''
            continue
        fi
        case "$at $word" in
        'tgicli generate') at='tgicli generate' ;;
        'tgicli serve') at='tgicli serve' ;;
        'tgicli models') at='tgicli models' ;;
        'tgicli config') at='tgicli config' ;;
        'tgicli completion') at='tgicli completion' ;;
        'tgicli generate -f' | \
            'tgicli generate --file' | \
            'tgicli generate -m' | \
            'tgicli generate --model' | \
            'tgicli generate --lora') is_value=yes ;;
        'tgicli generate -s' | \
            'tgicli generate --system' | \
            'tgicli generate --truncate' | \
            'tgicli generate --max-new-tokens' | \
            'tgicli generate --temperature' | \
            'tgicli generate --top-k' | \
            'tgicli generate --top-p' | \
            'tgicli generate --typical-p' | \
            'tgicli generate --min-p' | \
            'tgicli generate --repetition-penalty' | \
            'tgicli generate --frequency-penalty' | \
            'tgicli generate --presence-penalty' | \
            'tgicli generate --stop' | \
            'tgicli generate --seed' | \
            'tgicli generate --best-of' | \
            'tgicli generate --top-n-tokens' | \
            'tgicli generate --ctx-size' | \
            'tgicli generate --threads' | \
            'tgicli generate --batch-size') is_value=yes ;;
        'tgicli generate --gpu-layers') is_value=yes ;;
        'tgicli generate --flash-attn') is_value=yes ;;
        'tgicli generate --kv-type') is_value=yes ;;
        'tgicli serve --hostname' | \
            'tgicli serve -p' | \
            'tgicli serve --port' | \
            'tgicli serve --max-concurrent-requests' | \
            'tgicli serve --max-batch-size' | \
            'tgicli serve --max-total-tokens' | \
            'tgicli serve --max-input-tokens' | \
            'tgicli serve --max-batch-prefill-tokens' | \
            'tgicli serve --max-queue-wait' | \
            'tgicli serve --payload-limit' | \
            'tgicli serve --max-best-of' | \
            'tgicli serve --max-stop-sequences' | \
            'tgicli serve --max-top-n-tokens' | \
            'tgicli serve --max-client-batch-size' | \
            'tgicli serve --shutdown-timeout' | \
            'tgicli serve --stall-timeout' | \
            'tgicli serve --api-key' | \
            'tgicli serve --cors-allow-origin' | \
            'tgicli serve --ctx-size' | \
            'tgicli serve --threads' | \
            'tgicli serve --batch-size') is_value=yes ;;
        'tgicli serve --uds' | \
            'tgicli serve --ssl-certfile' | \
            'tgicli serve --ssl-keyfile' | \
            'tgicli serve --api-key-file' | \
            'tgicli serve -m' | \
            'tgicli serve --model' | \
            'tgicli serve --lora') is_value=yes ;;
        'tgicli serve --gpu-layers') is_value=yes ;;
        'tgicli serve --flash-attn') is_value=yes ;;
        'tgicli serve --kv-type') is_value=yes ;;
        'tgicli models list') at='tgicli models list' ;;
        'tgicli models pull') at='tgicli models pull' ;;
        'tgicli models info') at='tgicli models info' ;;
        'tgicli config path') at='tgicli config path' ;;
        esac
    done
    case "$at $prev" in
        'tgicli generate -f' | \
            'tgicli generate --file' | \
            'tgicli generate -m' | \
            'tgicli generate --model' | \
            'tgicli generate --lora') words='' files='yes' ;;
        'tgicli generate -s' | \
            'tgicli generate --system' | \
            'tgicli generate --truncate' | \
            'tgicli generate --max-new-tokens' | \
            'tgicli generate --temperature' | \
            'tgicli generate --top-k' | \
            'tgicli generate --top-p' | \
            'tgicli generate --typical-p' | \
            'tgicli generate --min-p' | \
            'tgicli generate --repetition-penalty' | \
            'tgicli generate --frequency-penalty' | \
            'tgicli generate --presence-penalty' | \
            'tgicli generate --stop' | \
            'tgicli generate --seed' | \
            'tgicli generate --best-of' | \
            'tgicli generate --top-n-tokens' | \
            'tgicli generate --ctx-size' | \
            'tgicli generate --threads' | \
            'tgicli generate --batch-size') words='' files='' ;;
        'tgicli generate --gpu-layers') words='auto' files='' ;;
        'tgicli generate --flash-attn') words='auto on off' files='' ;;
        'tgicli generate --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli serve --hostname' | \
            'tgicli serve -p' | \
            'tgicli serve --port' | \
            'tgicli serve --max-concurrent-requests' | \
            'tgicli serve --max-batch-size' | \
            'tgicli serve --max-total-tokens' | \
            'tgicli serve --max-input-tokens' | \
            'tgicli serve --max-batch-prefill-tokens' | \
            'tgicli serve --max-queue-wait' | \
            'tgicli serve --payload-limit' | \
            'tgicli serve --max-best-of' | \
            'tgicli serve --max-stop-sequences' | \
            'tgicli serve --max-top-n-tokens' | \
            'tgicli serve --max-client-batch-size' | \
            'tgicli serve --shutdown-timeout' | \
            'tgicli serve --stall-timeout' | \
            'tgicli serve --api-key' | \
            'tgicli serve --cors-allow-origin' | \
            'tgicli serve --ctx-size' | \
            'tgicli serve --threads' | \
            'tgicli serve --batch-size') words='' files='' ;;
        'tgicli serve --uds' | \
            'tgicli serve --ssl-certfile' | \
            'tgicli serve --ssl-keyfile' | \
            'tgicli serve --api-key-file' | \
            'tgicli serve -m' | \
            'tgicli serve --model' | \
            'tgicli serve --lora') words='' files='yes' ;;
        'tgicli serve --gpu-layers') words='auto' files='' ;;
        'tgicli serve --flash-attn') words='auto on off' files='' ;;
        'tgicli serve --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        *)
            [[ $cur == -* ]] && at+=' -'
            case $at in
                'tgicli -') words='--version --traceback -h --help' ;;
                'tgicli') words='generate serve models config completion' files='' ;;
                'tgicli generate -') words='-f --file --stdin --no-stdin -s --system --chat --no-chat --truncate --max-new-tokens --temperature --top-k --top-p --typical-p --min-p --repetition-penalty --frequency-penalty --presence-penalty --stop --seed --best-of --raw --plain --json --stream --no-stream --details --top-n-tokens --special --stats -q --quiet -m --model --offline --ctx-size --threads --gpu-layers --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback -h --help' ;;
                'tgicli generate') words='' files='' ;;
                'tgicli serve -') words='--hostname -p --port --uds --ssl-certfile --ssl-keyfile --max-concurrent-requests --max-batch-size --max-total-tokens --max-input-tokens --max-batch-prefill-tokens --max-queue-wait --payload-limit --max-best-of --max-stop-sequences --max-top-n-tokens --max-client-batch-size --grammar-support --no-grammar-support --shutdown-timeout --stall-timeout --json-output --live --no-live -q --quiet --api-key --api-key-file --isolate-keys --cors-allow-origin -m --model --offline --ctx-size --threads --gpu-layers --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback -h --help' ;;
                'tgicli serve') words='' files='' ;;
                'tgicli models -') words='--traceback -h --help' ;;
                'tgicli models') words='list pull info' files='' ;;
                'tgicli models list -') words='--json --traceback -h --help' ;;
                'tgicli models list') words='' files='' ;;
                'tgicli models pull -') words='--traceback -h --help' ;;
                'tgicli models pull') words='' files='' ;;
                'tgicli models info -') words='--json --template --traceback -h --help' ;;
                'tgicli models info') words='' files='' ;;
                'tgicli config -') words='--json --traceback -h --help' ;;
                'tgicli config') words='path' files='' ;;
                'tgicli config path -') words='--traceback -h --help' ;;
                'tgicli config path') words='' files='' ;;
                'tgicli completion -') words='--traceback -h --help' ;;
                'tgicli completion') words='bash zsh fish' files='' ;;
            esac
            ;;
    esac
    # Where nothing matches, readline completes file names, unless it is told not to.
    [[ $files ]] || compopt +o default 2>/dev/null
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _tgicli tgicli
