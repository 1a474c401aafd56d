# What dense_toy.sh and dense_camvid.sh share; to be sourced after shared.sh. Needs $methods, $seeds and $data.

backbone_of() { # METHOD PROTOCOL: the network that is judged
    case $1-$2 in
        cacl-linear | random-d8-linear) echo r18-narrow-d8 ;; # dilated, as it is pretrained
        local-global-* | random-vit-*) echo vit-narrow ;;
        *) echo r18-narrow ;;
    esac
}
random_of() { # METHOD PROTOCOL: the baseline that starts from the same weights
    case $(backbone_of "$1" "$2") in
        r18-narrow-d8) echo random-d8 ;;
        vit-narrow) echo random-vit ;;
        *) echo random ;;
    esac
}
pretraining_of() { # METHOD DATA: its config
    case $1 in
        cacl) [ "$2" = toy ] && echo configs/cacl/toy.py || echo "configs/cacl/r18-narrow_$2.py" ;;
        local-global) echo "configs/local_global/vit-narrow_$2.py" ;;
        semcl) [ "$2" = toy ] && echo configs/semcl/toy.py || echo "configs/semcl/r18-narrow_$2.py" ;;
        pixcon-sr) [ "$2" = toy ] && echo configs/pixcon/toy.py || echo "configs/pixcon/${1}_r18-narrow_$2.py" ;;
        *) [ "$2" = toy ] && echo "configs/pixcon/${1}_toy.py" || echo "configs/pixcon/${1}_r18-narrow_$2.py" ;;
    esac
}
downstream_of() { # METHOD PROTOCOL TARGET: the config that judges it
    local backbone
    backbone=$(backbone_of "$1" "$2")
    case $backbone-$2 in
        vit-narrow-linear) echo "configs/segmentation/frozen_vit-narrow_$3.py" ;;
        vit-narrow-finetune) echo "configs/segmentation/linear_vit-narrow_$3.py" ;;
        *-linear) echo "configs/segmentation/linear_${backbone}_$3.py" ;;
        *-finetune) echo "configs/segmentation/upernet_r18-narrow_$3.py" ;;
    esac
}
start_of() { # METHOD TARGET: the config whose random backbone all of its network's arms start from
    case $(backbone_of "$1" linear) in
        vit-narrow) downstream_of "$1" linear "$2" ;;
        *) pretraining_of pixcon-sim "$data" ;; # its residual branches start open, as in the papers, or closed, on the toy
    esac
}
initial_of() { # METHOD SEED: random weights of its network; a dilated one has those of the plain one
    case $(backbone_of "$1" linear) in
        vit-narrow) echo "$work/initial_vit_seed$2.pth" ;;
        *) echo "$work/initial_seed$2.pth" ;;
    esac
}

one_arm() { # METHOD_seedN: pretrains (unless it is random) and is judged by every protocol
    local method=${1%_seed*} seed=${1##*_seed} start protocol precision=()
    start=$(initial_of "$method" "$seed")
    [ -z "${AMP:-}" ] || [ "$(backbone_of "$method" linear)" = vit-narrow ] || precision=(--amp "$AMP")
    case $method in
        random*) ;;
        *)
            CFG_OPTIONS="${CFG_OPTIONS:-}${PRETRAIN_OPTIONS:+ $PRETRAIN_OPTIONS}" \
                train "pretrain-$1" "$(pretraining_of "$method" "$data")" --pretrained "$start" --seed "$seed" "${precision[@]}"
            start=$(last "pretrain-$1")
            ;;
    esac
    for protocol in $protocols_; do
        [ "$method-$protocol" != random-d8-finetune ] || continue # the plain network again
        train "$method-${protocol}_seed$seed" "$(downstream_of "$method" "$protocol" "$target")" \
            --pretrained "$start" --seed "$seed" "${precision[@]}"
    done
}

dense_experiment() { # TARGET PROTOCOL…: every method, every seed; then who beats its baseline
    export target=$1 data=${data:-$1} protocols_="${*:2}"
    export -f backbone_of random_of pretraining_of downstream_of initial_of
    local method seed baseline protocol arm arms=()
    for method in "${methods[@]}"; do
        [ -e "$(pretraining_of "$method" "$data")" ] ||
            { echo "error: no config $(pretraining_of "$method" "$data") for METHODS=$method" >&2; return 1; }
        [ "$method" != semcl ] || [ -e "data/semcl/$data.pairs" ] ||
            { echo "error: METHODS=semcl needs data/semcl/$data.pairs (tools/dataset_converters/build_pair_index.py)" >&2; return 1; }
        for protocol in $protocols_; do arms+=("$(random_of "$method" "$protocol")"); done
        arms+=("$method")
    done
    mapfile -t arms < <(printf '%s\n' "${arms[@]}" | awk '!seen[$0]++')
    local runs=()
    for seed in "${seeds[@]}"; do # a seed's arms follow each other: what is done first can be compared
        for arm in "${arms[@]}"; do
            runs+=("${arm}_seed$seed")
            local initial
            initial=$(initial_of "$arm" "$seed")
            [ -e "$initial" ] || "$python" -W ignore tools/misc/initial_backbone.py \
                "$(start_of "$arm" "$target")" "$initial" --seed "$seed"
        done
    done
    each one_arm "${runs[@]}"

    "$python" tools/analyze collect "$work" --out "$work/records.jsonl"
    "$python" tools/analyze table --records "$work/records.jsonl"
    [ "${#seeds[@]}" -ge 2 ] || return 0
    for protocol in $protocols_; do
        for baseline in $(printf '%s\n' "${arms[@]}" | grep '^random'); do
            local found=()
            for method in "${methods[@]}"; do
                [ "$(random_of "$method" "$protocol")" != "$baseline" ] || found+=("$method-${protocol}_seed")
            done
            [ ${#found[@]} -gt 0 ] || continue
            echo
            "$python" tools/analyze against "$baseline-${protocol}_seed" "${found[@]}" --records "$work/records.jsonl"
        done
    done
}
