// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {MerkleProof} from "./MerkleProof.sol";

/// A leaf of `uniswap`, as in `MerkleDistributor`: packed and hashed once.
contract UniswapLeaf {
    function verify(bytes32 root, uint256 index, address account, uint256 amount, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleProof.rootOf(keccak256(abi.encodePacked(index, account, amount)), proof) == root;
    }
}
