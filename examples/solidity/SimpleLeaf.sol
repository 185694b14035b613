// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {MerkleProof} from "./MerkleProof.sol";

/// A leaf of `simple-v1`: given as it is.
contract SimpleLeaf {
    function verify(bytes32 root, bytes32 leaf, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleProof.rootOf(leaf, proof) == root;
    }
}
