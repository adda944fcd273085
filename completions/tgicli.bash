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
        'tgicli chat') at='tgicli chat' ;;
        'tgicli serve') at='tgicli serve' ;;
        'tgicli models') at='tgicli models' ;;
        'tgicli config') at='tgicli config' ;;
        'tgicli completion') at='tgicli completion' ;;
        'tgicli --profile') is_value=yes ;;
        'tgicli generate -f' | \
            'tgicli generate --file' | \
            'tgicli generate --api-key-file' | \
            'tgicli generate --input' | \
            'tgicli generate -o' | \
            'tgicli generate --output' | \
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
            'tgicli generate -e' | \
            'tgicli generate --endpoint' | \
            'tgicli generate --api-key' | \
            'tgicli generate --api-key-command' | \
            'tgicli generate -H' | \
            'tgicli generate --header' | \
            'tgicli generate --retries' | \
            'tgicli generate --timeout' | \
            'tgicli generate --connect-timeout' | \
            'tgicli generate --first-token-timeout' | \
            'tgicli generate --token-timeout' | \
            'tgicli generate --concurrency' | \
            'tgicli generate --give-up-after' | \
            'tgicli generate --ctx-size' | \
            'tgicli generate --threads' | \
            'tgicli generate --batch-size' | \
            'tgicli generate --profile') is_value=yes ;;
        'tgicli generate --reasoning') is_value=yes ;;
        'tgicli generate --api') is_value=yes ;;
        'tgicli generate --input-format') is_value=yes ;;
        'tgicli generate --gpu-layers') is_value=yes ;;
        'tgicli generate --flash-attn') is_value=yes ;;
        'tgicli generate --kv-type') is_value=yes ;;
        'tgicli chat -s' | \
            'tgicli chat --system' | \
            'tgicli chat --max-new-tokens' | \
            'tgicli chat --temperature' | \
            'tgicli chat --top-k' | \
            'tgicli chat --top-p' | \
            'tgicli chat --typical-p' | \
            'tgicli chat --min-p' | \
            'tgicli chat --repetition-penalty' | \
            'tgicli chat --frequency-penalty' | \
            'tgicli chat --presence-penalty' | \
            'tgicli chat --stop' | \
            'tgicli chat --seed' | \
            'tgicli chat -e' | \
            'tgicli chat --endpoint' | \
            'tgicli chat --api-key' | \
            'tgicli chat --api-key-command' | \
            'tgicli chat -H' | \
            'tgicli chat --header' | \
            'tgicli chat --retries' | \
            'tgicli chat --timeout' | \
            'tgicli chat --connect-timeout' | \
            'tgicli chat --first-token-timeout' | \
            'tgicli chat --token-timeout' | \
            'tgicli chat --ctx-size' | \
            'tgicli chat --threads' | \
            'tgicli chat --batch-size' | \
            'tgicli chat --profile') is_value=yes ;;
        'tgicli chat --reasoning') is_value=yes ;;
        'tgicli chat --api') is_value=yes ;;
        'tgicli chat --api-key-file' | \
            'tgicli chat -m' | \
            'tgicli chat --model' | \
            'tgicli chat --lora') is_value=yes ;;
        'tgicli chat --gpu-layers') is_value=yes ;;
        'tgicli chat --flash-attn') is_value=yes ;;
        'tgicli chat --kv-type') is_value=yes ;;
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
            'tgicli serve --connect' | \
            'tgicli serve --connect-model' | \
            'tgicli serve --connect-key' | \
            'tgicli serve --ctx-size' | \
            'tgicli serve --threads' | \
            'tgicli serve --batch-size' | \
            'tgicli serve --lora-adapters' | \
            'tgicli serve --profile') is_value=yes ;;
        'tgicli serve --uds' | \
            'tgicli serve --ssl-certfile' | \
            'tgicli serve --ssl-keyfile' | \
            'tgicli serve --api-key-file' | \
            'tgicli serve --connect-key-file' | \
            'tgicli serve -m' | \
            'tgicli serve --model' | \
            'tgicli serve --lora') is_value=yes ;;
        'tgicli serve --connect-api') is_value=yes ;;
        'tgicli serve --gpu-layers') is_value=yes ;;
        'tgicli serve --flash-attn') is_value=yes ;;
        'tgicli serve --kv-type') is_value=yes ;;
        'tgicli models list') at='tgicli models list' ;;
        'tgicli models pull') at='tgicli models pull' ;;
        'tgicli models info') at='tgicli models info' ;;
        'tgicli models --profile') is_value=yes ;;
        'tgicli models list --profile') is_value=yes ;;
        'tgicli models pull --profile') is_value=yes ;;
        'tgicli models info --profile') is_value=yes ;;
        'tgicli config path') at='tgicli config path' ;;
        'tgicli config profiles') at='tgicli config profiles' ;;
        'tgicli config --profile') is_value=yes ;;
        'tgicli config path --profile') is_value=yes ;;
        'tgicli config profiles --profile') is_value=yes ;;
        'tgicli completion --profile') is_value=yes ;;
        esac
    done
    case "$at $prev" in
        'tgicli --profile') words='' files='' ;;
        'tgicli generate -f' | \
            'tgicli generate --file' | \
            'tgicli generate --api-key-file' | \
            'tgicli generate --input' | \
            'tgicli generate -o' | \
            'tgicli generate --output' | \
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
            'tgicli generate -e' | \
            'tgicli generate --endpoint' | \
            'tgicli generate --api-key' | \
            'tgicli generate --api-key-command' | \
            'tgicli generate -H' | \
            'tgicli generate --header' | \
            'tgicli generate --retries' | \
            'tgicli generate --timeout' | \
            'tgicli generate --connect-timeout' | \
            'tgicli generate --first-token-timeout' | \
            'tgicli generate --token-timeout' | \
            'tgicli generate --concurrency' | \
            'tgicli generate --give-up-after' | \
            'tgicli generate --ctx-size' | \
            'tgicli generate --threads' | \
            'tgicli generate --batch-size' | \
            'tgicli generate --profile') words='' files='' ;;
        'tgicli generate --reasoning') words='show hide stdout' files='' ;;
        'tgicli generate --api') words='tgi openai-chat openai-completions' files='' ;;
        'tgicli generate --input-format') words='auto jsonl text' files='' ;;
        'tgicli generate --gpu-layers') words='auto' files='' ;;
        'tgicli generate --flash-attn') words='auto on off' files='' ;;
        'tgicli generate --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli chat -s' | \
            'tgicli chat --system' | \
            'tgicli chat --max-new-tokens' | \
            'tgicli chat --temperature' | \
            'tgicli chat --top-k' | \
            'tgicli chat --top-p' | \
            'tgicli chat --typical-p' | \
            'tgicli chat --min-p' | \
            'tgicli chat --repetition-penalty' | \
            'tgicli chat --frequency-penalty' | \
            'tgicli chat --presence-penalty' | \
            'tgicli chat --stop' | \
            'tgicli chat --seed' | \
            'tgicli chat -e' | \
            'tgicli chat --endpoint' | \
            'tgicli chat --api-key' | \
            'tgicli chat --api-key-command' | \
            'tgicli chat -H' | \
            'tgicli chat --header' | \
            'tgicli chat --retries' | \
            'tgicli chat --timeout' | \
            'tgicli chat --connect-timeout' | \
            'tgicli chat --first-token-timeout' | \
            'tgicli chat --token-timeout' | \
            'tgicli chat --ctx-size' | \
            'tgicli chat --threads' | \
            'tgicli chat --batch-size' | \
            'tgicli chat --profile') words='' files='' ;;
        'tgicli chat --reasoning') words='show hide stdout' files='' ;;
        'tgicli chat --api') words='tgi openai-chat openai-completions' files='' ;;
        'tgicli chat --api-key-file' | \
            'tgicli chat -m' | \
            'tgicli chat --model' | \
            'tgicli chat --lora') words='' files='yes' ;;
        'tgicli chat --gpu-layers') words='auto' files='' ;;
        'tgicli chat --flash-attn') words='auto on off' files='' ;;
        'tgicli chat --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
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
            'tgicli serve --connect' | \
            'tgicli serve --connect-model' | \
            'tgicli serve --connect-key' | \
            'tgicli serve --ctx-size' | \
            'tgicli serve --threads' | \
            'tgicli serve --batch-size' | \
            'tgicli serve --lora-adapters' | \
            'tgicli serve --profile') words='' files='' ;;
        'tgicli serve --uds' | \
            'tgicli serve --ssl-certfile' | \
            'tgicli serve --ssl-keyfile' | \
            'tgicli serve --api-key-file' | \
            'tgicli serve --connect-key-file' | \
            'tgicli serve -m' | \
            'tgicli serve --model' | \
            'tgicli serve --lora') words='' files='yes' ;;
        'tgicli serve --connect-api') words='tgi openai-chat openai-completions' files='' ;;
        'tgicli serve --gpu-layers') words='auto' files='' ;;
        'tgicli serve --flash-attn') words='auto on off' files='' ;;
        'tgicli serve --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli models --profile') words='' files='' ;;
        'tgicli models list --profile') words='' files='' ;;
        'tgicli models pull --profile') words='' files='' ;;
        'tgicli models info --profile') words='' files='' ;;
        'tgicli config --profile') words='' files='' ;;
        'tgicli config path --profile') words='' files='' ;;
        'tgicli config profiles --profile') words='' files='' ;;
        'tgicli completion --profile') words='' files='' ;;
        *)
            [[ $cur == -* ]] && at+=' -'
            case $at in
                'tgicli -') words='--version --traceback --profile -h --help' ;;
                'tgicli') words='generate chat serve models config completion' files='' ;;
                'tgicli generate -') words='-f --file --stdin --no-stdin -s --system --chat --no-chat --truncate --max-new-tokens --temperature --top-k --top-p --typical-p --min-p --repetition-penalty --frequency-penalty --presence-penalty --stop --seed --best-of --raw --plain --json --stream --no-stream --details --top-n-tokens --special --reasoning --stats --dry-run -q --quiet --server --no-server -e --endpoint --api --api-key --api-key-file --api-key-command -H --header --retries --timeout --connect-timeout --first-token-timeout --token-timeout --input -o --output --concurrency --input-format --as-completed --redo-changed --restart --fail-fast --give-up-after -m --model --offline --ctx-size --threads --gpu-layers --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback --profile -h --help' ;;
                'tgicli generate') words='' files='' ;;
                'tgicli chat -') words='-s --system --history --no-history --max-new-tokens --temperature --top-k --top-p --typical-p --min-p --repetition-penalty --frequency-penalty --presence-penalty --stop --seed --plain --reasoning --stats -q --quiet -e --endpoint --api --api-key --api-key-file --api-key-command -H --header --retries --timeout --connect-timeout --first-token-timeout --token-timeout -m --model --offline --ctx-size --threads --gpu-layers --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback --profile -h --help' ;;
                'tgicli chat') words='' files='' ;;
                'tgicli serve -') words='--hostname -p --port --uds --ssl-certfile --ssl-keyfile --max-concurrent-requests --max-batch-size --max-total-tokens --max-input-tokens --max-batch-prefill-tokens --max-queue-wait --payload-limit --max-best-of --max-stop-sequences --max-top-n-tokens --max-client-batch-size --grammar-support --no-grammar-support --shutdown-timeout --stall-timeout --json-output --live --no-live -q --quiet --api-key --api-key-file --isolate-keys --cors-allow-origin --connect --connect-api --connect-model --connect-key --connect-key-file -m --model --offline --ctx-size --threads --gpu-layers --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --lora-adapters --traceback --profile -h --help' ;;
                'tgicli serve') words='' files='' ;;
                'tgicli models -') words='--traceback --profile -h --help' ;;
                'tgicli models') words='list pull info' files='' ;;
                'tgicli models list -') words='--json --traceback --profile -h --help' ;;
                'tgicli models list') words='' files='' ;;
                'tgicli models pull -') words='--traceback --profile -h --help' ;;
                'tgicli models pull') words='' files='' ;;
                'tgicli models info -') words='--json --template --traceback --profile -h --help' ;;
                'tgicli models info') words='' files='' ;;
                'tgicli config -') words='--json --traceback --profile -h --help' ;;
                'tgicli config') words='path profiles' files='' ;;
                'tgicli config path -') words='--traceback --profile -h --help' ;;
                'tgicli config path') words='' files='' ;;
                'tgicli config profiles -') words='--json --traceback --profile -h --help' ;;
                'tgicli config profiles') words='' files='' ;;
                'tgicli completion -') words='--traceback --profile -h --help' ;;
                'tgicli completion') words='bash zsh fish' files='' ;;
            esac
            ;;
    esac
    # Where nothing matches, readline completes file names, unless it is told not to.
    [[ $files ]] || compopt +o default 2>/dev/null
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _tgicli tgicli
